"""Widgets, dialogs and state that several tabs use."""
