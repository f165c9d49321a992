"""From a prompt to text: engine, filters, sampler, stops, as an iterator of events."""
