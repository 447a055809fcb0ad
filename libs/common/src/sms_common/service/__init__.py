"""What every process needs: settings, start, health, drain."""
