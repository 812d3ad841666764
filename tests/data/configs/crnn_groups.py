_base_ = ['_base_/runtime.py', '_base_/crnn.py', '_base_/recog_data.py', '_base_/recog_pipeline.py']

# A model of its own: a key of the base replaced, a dictionary of the base thrown away.
model = dict(
    backbone=dict(leaky_relu=True),
    label_convertor=dict(_delete_=True, type='CTCConvertor', dict_list=['a', 'b', 'c']))

plain = {{_base_.test_pipeline}}
rotated = [
    dict(type='LoadImageFromFile', color_type='grayscale'),
    dict(
        type='MultiRotateAugOCR',
        rotate_degrees=[0, 90, 270],
        transforms=[
            dict(type='ResizeOCR', height=32, min_width=32),
            dict(type='Normalize', mean=[127.0], std=[127.0]),
            dict(type='Collect', keys=['img'], meta_keys=['filename']),
        ])
]

data = dict(
    test=dict(
        type='UniformConcatDataset',
        datasets=[[{{_base_.lines}}, {{_base_.packed}}], [{{_base_.objects}}]],
        pipeline=[plain, rotated]))
