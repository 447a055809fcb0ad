"""The gateway on this machine: its .env, its services, natively or in containers."""
