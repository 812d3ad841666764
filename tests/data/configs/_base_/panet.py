model = dict(
    type='PANet',
    pretrained='torchvision://resnet18',
    backbone=dict(type='mmdet.ResNet', depth=18, base_channels=8, norm_cfg=dict(type='SyncBN'), norm_eval=True),
    neck=dict(type='FPEM_FFM', in_channels=[8, 16, 32, 64], conv_out=8),
    bbox_head=dict(
        type='PANHead',
        in_channels=[8, 8, 8, 8],
        out_channels=6,
        loss=dict(type='PANLoss'),
        postprocessor=dict(type='PANPostprocessor', text_repr_type='quad')),
    train_cfg=None,
    test_cfg=None)
