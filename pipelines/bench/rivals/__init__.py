"""What runs in other tools' environments: every module imports its tool and nothing of medlink."""
