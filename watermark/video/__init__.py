"""The film mark `org.colophon.mark.video.1`, part by part; `watermark.film` is its face, VIDEO.md its description."""
