"""`hounsfield search`: many heads, scored by grouped cross-validation on the training images, never by the test set.

Research use only. Not a medical device.
"""
