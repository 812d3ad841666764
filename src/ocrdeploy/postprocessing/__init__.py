"""The decoders: from the raw outputs of a network to polygons (DB, PSE, PAN) or text (CTC), equal to MMOCR's."""
