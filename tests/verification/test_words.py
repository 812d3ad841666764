from dataclasses import replace

import numpy as np

from ocrdeploy.results import Recognition
from ocrdeploy.verification.bisecting import Bisection, Divergence, SuspectNode
from ocrdeploy.verification.comparison import Comparison, LeftOut, SideFacts
from ocrdeploy.verification.result_difference import DetectionDifference, RecognitionDifference
from ocrdeploy.verification.tensor_difference import PreprocessingDifference, TensorDifference
from ocrdeploy.verification.tolerances import PrecisionRule, Tolerance, rule_of
from ocrdeploy.verification.words import (
    bisection_facts,
    conclusion,
    counted,
    preprocessing_facts,
    results_facts,
    tensor_facts,
    verdict,
)

FP32 = rule_of("fp32")
SIDES = SideFacts("torch", "fp32", "cpu"), SideFacts("onnxruntime", "fp32", "cpu")


def comparison(
    *, before: float = 0.0, network: float = 0.0, results: int = 0, decoding: int = 0, rule: PrecisionRule = FP32
) -> Comparison:
    tensor = TensorDifference("prob_map", rule.tensors, rule.judges_tensors)
    tensor.add(np.zeros((1, 1, 2, 2), np.float32), np.full((1, 1, 2, 2), network, np.float32), "a.jpg")
    return Comparison(
        reference=SIDES[0],
        candidate=SIDES[1],
        rule=rule,
        tensors=(tensor,),
        preprocessing=PreprocessingDifference(1, 1, before),
        results=DetectionDifference(rule.results, images=1, matched=10, missing=results),
        decoding=DetectionDifference(images=1, missing=decoding),
        pipeline_settings=(),
        decoder_settings=(),
        given=1,
        left_out=(),
        unreadable=(),
        batches_left_out=0,
        drawn=False,
        worst_input=(),
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
    assert conclusion(comparison()) == "the models agree on 1 image"
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


def test_a_verdict_counts_what_was_compared() -> None:
    sized, broken = LeftOut("b.jpg", "too large"), LeftOut("c.jpg", "no image")
    some = replace(comparison(), given=2, left_out=(sized,))
    assert some.passed
    assert conclusion(some) == (
        "the models agree on 1 of 2 images; 1 was left out, as one of the models does not take their size "
        "(b.jpg: too large)"
    )
    unread = replace(comparison(), given=2, unreadable=(broken,))
    assert unread.causes == ("images",)
    assert conclusion(unread) == "the models agree on 1 of 2 images; 1 cannot be read (c.jpg: no image)"
    drawn = replace(comparison(), given=0, drawn=True)
    assert drawn.passed
    assert conclusion(drawn) == "the models agree on 1 drawn image"
    none = replace(drawn, given=1, left_out=(sized,))
    assert none.causes == ("images",)
    assert conclusion(none) == "the one image was not compared (b.jpg: too large)"
    assert conclusion(replace(none, pipeline_settings=("x",))).startswith(
        "the models differ in pre-processing; the one image was not compared"
    )
    several = replace(none, given=3)
    assert conclusion(several) == "none of the 3 images was compared (b.jpg: too large)"
    nothing = replace(comparison(), given=0, results=DetectionDifference())
    assert not nothing.passed
    assert conclusion(nothing) == "no image was compared"


def test_settings_that_differ_fail_by_themselves() -> None:
    assert replace(comparison(), pipeline_settings=("x",)).causes == ("pre-processing",)
    assert replace(comparison(), decoder_settings=("x",)).causes == ("post-processing",)


def test_a_format_that_is_judged_by_results_needs_some() -> None:
    int8 = rule_of("int8")
    told = comparison(network=0.9, rule=int8)
    assert told.passed
    assert told.networks_agree is None
    assert verdict(told.networks_agree) == "told only"
    assert "allowed" not in tensor_facts(told.tensors[0])[0]
    worse = comparison(network=0.9, results=2, rule=int8)
    assert worse.causes == ("results",)
    assert conclusion(worse) == "2 of 12 results differ, and int8 may change 2.0% of them"
    nothing = replace(told, results=DetectionDifference(int8.results, images=1))
    assert nothing.causes == ("images",)
    assert conclusion(nothing) == "neither side found anything on 1 image, and int8 is judged by results alone"


def test_a_float16_graph_on_a_cpu_says_what_it_is_judged_for() -> None:
    half = replace(SIDES[1], precision="fp16")
    (note,) = replace(comparison(), candidate=half).notes
    assert "the candidate is a float16 model on a CPU" in note
    assert replace(comparison(), candidate=replace(half, device="cuda:0")).notes == ()
    assert replace(SIDES[0], tf32=True, device="cuda:0").text == "torch fp32 with TF32 on cuda:0"


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
