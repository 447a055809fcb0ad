"""The version of the gateway: of every package, image and answer. A release changes this line and CHANGELOG.md."""

VERSION = "1.1.0"
