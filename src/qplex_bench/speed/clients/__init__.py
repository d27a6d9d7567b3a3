"""Programs that run inside other projects' checkouts, to be measured beside ours."""
