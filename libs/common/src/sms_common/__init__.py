"""What crosses a boundary between the gateway's services: events, topology, broker access, carriers, errors and
telemetry.
"""
