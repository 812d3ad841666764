model = dict(
    type='PSENet',
    backbone=dict(
        type='ResNet', depth=50, base_channels=4, norm_cfg=dict(type='SyncBN', requires_grad=True), style='caffe'),
    neck=dict(type='FPNF', in_channels=[16, 32, 64, 128], out_channels=16, fusion_type='concat'),
    bbox_head=dict(
        type='PSEHead',
        in_channels=[16],
        out_channels=7,
        loss=dict(type='PSELoss'),
        postprocessor=dict(type='PSEPostprocessor', text_repr_type='poly', min_kernel_area=10)),
    train_cfg=None,
    test_cfg=None)
