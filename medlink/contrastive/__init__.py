"""Contrastive learning: losses, objectives, memory bank, mining, augmentation, diagnostics; tensors in, tensors out."""
