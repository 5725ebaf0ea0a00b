"""The stage store: artifacts under the hash of everything that made them, and an inventory.

`artifacts` makes each artifact once, even if several processes need it, and verifies its checksums
when it is read. `inventory` lists, verifies and prunes what a store holds.
"""
