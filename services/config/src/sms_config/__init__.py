"""The control plane: tenants, trunks, SMS configurations, API keys and their audit, served as REST and as snapshots."""
