"""Every outward face: HTTP, web page, command line."""
