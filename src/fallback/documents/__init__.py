"""Documents: what travels or is shown beside the fallback file. Pure models; none holds customer data."""
