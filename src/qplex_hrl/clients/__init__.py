"""Our worlds in the interfaces of other learning libraries; each module needs its own extra."""
