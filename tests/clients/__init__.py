"""Azure's own clients against a local cloud, in environments of their own: `make clients`."""
