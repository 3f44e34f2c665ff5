"""The trail as a log that others can audit: RFC 6962 tree, C2SP formats, one sequencer. See README.md."""
