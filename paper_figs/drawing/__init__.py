"""What figures share: styles, curves, bands, panels."""
