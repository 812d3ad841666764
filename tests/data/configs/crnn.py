_base_ = ['_base_/runtime.py', '_base_/crnn.py', '_base_/recog_data.py', '_base_/recog_pipeline.py']

test_pipeline = {{_base_.test_pipeline}}

data = dict(
    test=dict(
        type='UniformConcatDataset',
        datasets=[{{_base_.lines}}, {{_base_.packed}}, {{_base_.objects}}],
        pipeline=test_pipeline))

evaluation = dict(interval=1, metric='acc', save_best='0_word_acc_ignore_case', rule='greater')
