# What a config has beside the model and its data; nothing of it changes what a trained model computes.
checkpoint_config = dict(interval=5)
log_config = dict(interval=20, hooks=[dict(type='TextLoggerHook')])
optimizer = dict(type='SGD', lr=0.01, momentum=0.9)
total_epochs = 20
load_from = None
workflow = [('train', 1)]
