"""The bodies that come in and the views that go out."""
