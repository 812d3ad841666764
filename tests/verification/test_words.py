import numpy as np

from ocrdeploy.results import Recognition
from ocrdeploy.verification.bisecting import Bisection, Divergence, SuspectNode
from ocrdeploy.verification.comparison import Comparison
from ocrdeploy.verification.result_difference import DetectionDifference, RecognitionDifference
from ocrdeploy.verification.tensor_difference import PreprocessingDifference, TensorDifference
from ocrdeploy.verification.tolerances import Tolerance
from ocrdeploy.verification.words import (
    bisection_facts,
    conclusion,
    counted,
    preprocessing_facts,
    results_facts,
    tensor_facts,
)


def comparison(*, before: float = 0.0, network: float = 0.0, results: int = 0, decoding: int = 0) -> Comparison:
    tensor = TensorDifference("prob_map", Tolerance())
    tensor.add(np.zeros((1, 1, 2, 2), np.float32), np.full((1, 1, 2, 2), network, np.float32), "a.jpg")
    return Comparison(
        reference="torch",
        candidate="onnxruntime",
        precision="fp32",
        tensors=(tensor,),
        preprocessing=PreprocessingDifference(1, 1, before),
        results=DetectionDifference(images=1, missing=results),
        decoding=DetectionDifference(images=1, missing=decoding),
        settings=(),
        skipped=0,
        drawn=False,
        worst_input=np.zeros((1, 3, 32, 32), np.float32),
    )


def test_classes_are_told_by_how_many_differ_and_how_sure_of_it_they_are() -> None:
    difference = TensorDifference("indices", Tolerance())
    classes, scores = np.array([[1, 2, 3]], np.int32), np.array([[0.9, 0.5, 0.2]], np.float32)
    difference.add_classes(classes, classes, scores, scores, "a.jpg")
    assert tensor_facts(difference) == ["0 of 3 classes differ"]
    difference.add_classes(classes, classes + np.array([[0, 1, 1]], np.int32), scores, scores, "b.jpg")
    assert tensor_facts(difference) == [
        "2 of 6 classes differ",
        "their probabilities are apart by at least 0, 0.00019 allowed",
        "in 2 of them neither side gives its class more than 1/2",
    ]
    difference.add_classes(classes, classes + np.array([[1, 0, 0]], np.int32), scores, scores, "c.jpg")
    count, least, uncertain, worst = tensor_facts(difference)
    assert count == "3 of 9 classes differ"
    assert least == "their probabilities are apart by at least 0.8, 0.00019 allowed"
    assert uncertain == "in 2 of them neither side gives its class more than 1/2"
    assert worst == "worst at n 0, step 0 of input 2 (c.jpg): 1, candidate 2"


def test_the_conclusion_names_the_stages_to_blame() -> None:
    assert comparison().passed
    assert conclusion(comparison()) == "the models agree"
    assert conclusion(comparison(before=0.1, results=3)) == "the models differ in pre-processing"
    assert conclusion(comparison(network=0.1, results=3, decoding=1)) == (
        "the models differ in the network and in post-processing"
    )


def test_results_are_blamed_where_no_stage_is() -> None:
    unlucky = comparison(results=1)
    assert unlucky.causes == ("results",)
    assert not unlucky.passed
    assert "although every stage agrees within tolerance" in conclusion(unlucky)


def test_decoders_that_differ_fail_also_where_results_happen_to_agree() -> None:
    assert not comparison(decoding=1).passed


def test_numbers_in_words() -> None:
    tensor = comparison(network=0.5).tensors[0]
    assert tensor_facts(tensor) == [
        "max 0.5 of 0.0001 allowed",
        "mean 0.5, p99 0.5",
        "relative 1, cosine 0.000000",
        "worst at n 0, c 0, y 0, x 0 of input 0 (a.jpg): 0, candidate 0.5",
    ]
    assert tensor_facts(comparison().tensors[0])[2] == "relative 0, cosine 1 - 0"
    assert preprocessing_facts(PreprocessingDifference(sizes=((736, 1312), (735, 1310)))) == [
        "sizes differ: 736×1312 in the reference, 735×1310 in the candidate"
    ]
    texts = RecognitionDifference()
    texts.add(Recognition("ab", (1.0, 1.0)), Recognition("b", (1.0,)))
    assert results_facts(DetectionDifference(images=3))[1].startswith("neither side found any text")
    # No text is equal, so no scores were compared.
    assert results_facts(texts) == ["0 of 1 texts equal", "edit distance 1"]
    texts.add(Recognition("a", (1.0,)), Recognition("a", (0.5,)))
    assert results_facts(texts)[2] == "worst score difference 0.5 of 0.001 allowed"
    assert (counted(1, "box", "boxes"), counted(2, "box", "boxes"), counted(0, "image")) == (
        "1 box", "2 boxes", "0 images",
    )  # fmt: skip


def test_where_networks_part_in_words() -> None:
    divergence = Divergence(
        module="neck.conv",
        folded="neck.bn",
        node="/neck/conv/Conv",
        operator="Conv",
        suspects=(SuspectNode("a", "Neg"), SuspectNode("/neck/conv/Conv", "Conv")),
        shapes=((1, 2, 3, 4), (1, 2, 3, 5)),
        max_abs=np.inf,
        allowed=1e-4,
        largest=1.0,
        worst=None,
        inputs_max_abs=1e-7,
    )
    first, *others = bisection_facts(Bisection(divergence, 8, 20, (1, 3, 32, 32)))
    assert first == (
        "first difference: /neck/conv/Conv (Conv) of module neck.conv, compared behind neck.bn, which is folded into it"
    )
    assert others == [
        "to blame is one of 2 nodes between values that agree: a (Neg), /neck/conv/Conv (Conv)",
        "its output is 1×2×3×4 in the reference, 1×2×3×5 in the candidate",
        "the 7 values before it agree, of 20 that both have, on an input of 1×3×32×32",
    ]
    assert bisection_facts(Bisection(None, 20, 20, (1, 3, 32, 32))) == [
        "no node differs: all 20 values that both networks have agree on an input of 1×3×32×32"
    ]
