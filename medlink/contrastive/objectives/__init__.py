"""The objectives: how views, towers, queues and losses are arranged, each known by a name."""
