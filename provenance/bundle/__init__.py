"""An asset's whole story in one file that stands without us: made by `make`, checked by `audit`, both offline."""
