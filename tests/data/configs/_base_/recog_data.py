lines = dict(
    type='OCRDataset',
    img_prefix='data/lines/imgs',
    ann_file='data/lines/label.txt',
    loader=dict(
        type='HardDiskLoader',
        repeat=1,
        parser=dict(type='LineStrParser', keys=['filename', 'text'], keys_idx=[0, 1], separator='\t')),
    pipeline=None,
    test_mode=True)

packed = dict(
    type='OCRDataset',
    img_prefix='data/packed/imgs',
    ann_file='data/packed/label.lmdb',
    loader=dict(type='LmdbLoader', parser=dict(type='LineJsonParser', keys=['filename', 'text'])),
    pipeline=None,
    test_mode=True)

objects = dict(
    type='OCRDataset',
    img_prefix='data/objects/imgs',
    ann_file='data/objects/label.jsonl',
    loader=dict(
        type='AnnFileLoader',
        repeat=2,
        file_format='txt',
        file_storage_backend='disk',
        parser=dict(type='LineJsonParser', keys=['filename', 'text'])),
    pipeline=None,
    test_mode=True)
