"""What several figures share: styles, curves by path, bands, panels, and the entry of a figure.

`entry` says what a figure is and gives it a command line. `style` has colours, legends and the
saving of files, so that equal records give equal files.
"""
