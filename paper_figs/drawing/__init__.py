"""What figures share: looks, paths, bands, panels, and the texts of claims in titles."""
