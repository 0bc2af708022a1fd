"""The demo: sample people and a screening report about them, for trying the service and for its tests."""
