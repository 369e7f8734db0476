"""The renderer's side for tensors: gradients of the compiled loops, and loops without them.

Imported when tensors are drawn; the rest of the package needs no torch.
"""
