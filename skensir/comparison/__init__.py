"""Base models and ensembles side by side: fitted, measured, printed, and shown in a report."""
