"""The composition root: the only room that knows every adapter, the settings and the wall clock."""
