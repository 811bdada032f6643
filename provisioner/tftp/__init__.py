"""The TFTP service: loaders from an explicit table."""
