"""The sound mark: layout, embedding, detection (see SOUND.md)."""
