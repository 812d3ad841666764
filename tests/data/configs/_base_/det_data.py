root = 'data/words'

test_set = dict(
    type='IcdarDataset', ann_file=f'{root}/instances.json', img_prefix=f'{root}/imgs', pipeline=None)

test_list = [test_set]
