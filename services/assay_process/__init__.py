"""What every process of ours does alike: settings, logs, signals, metrics, its last words to the kubelet.

Each module stands alone and imports little, so that no image gets heavier by using one of them.
"""
