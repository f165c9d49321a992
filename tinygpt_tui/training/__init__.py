"""From a corpus to weights: schedule, optimizer, evaluation, loop, as an iterator of events."""
