_base_ = ['_base_/runtime.py', '_base_/dbnet.py', '_base_/det_data.py', '_base_/det_pipeline.py']

test_list = {{_base_.test_list}}
test_pipeline = {{_base_.test_pipeline}}

data = dict(
    samples_per_gpu=8,
    workers_per_gpu=2,
    test_dataloader=dict(samples_per_gpu=1),
    test=dict(type='UniformConcatDataset', datasets=test_list, pipeline=test_pipeline))

evaluation = dict(interval=10, metric='hmean-iou')
