from ocrdeploy.graphs.values import GraphNode
from ocrdeploy.layers.activations import Activation
from ocrdeploy.verification.network_values import NetworkValue
from ocrdeploy.verification.value_matching import match_values


def node(name: str, operator: str, *inputs: str, size: int = 4) -> NetworkValue:
    scope = name.rpartition("/")[0]
    return NetworkValue(
        f"{name}:0", name, operator, "", size, GraphNode(name, operator, inputs, f"{name}:0", scope, False)
    )


def layer(name: str, *inputs: str) -> NetworkValue:
    module = name[1:].replace("/", ".")
    return NetworkValue(
        name, name, "Layer", module, 4, Activation(name, module, "Layer", True, frozenset(inputs), (4,))
    )


def function(name: str, operator: str, *inputs: str, size: int = 4) -> NetworkValue:
    activation = Activation(name, "neck", operator, False, frozenset(inputs), (size,))
    return NetworkValue(name, name, operator, "neck", size, activation)


def names(reference: list[NetworkValue], candidate: list[NetworkValue]) -> list[tuple[str, str]]:
    return [(pair.reference.key, pair.candidate.key) for pair in match_values(reference, candidate)]


def test_graphs_are_matched_by_name_whatever_the_order_and_the_operator() -> None:
    first = [node("/a/Conv", "Conv"), node("/a/Relu", "Relu"), node("/only", "Add")]
    second = [node("/a/Relu", "Clip"), node("/a/Conv", "Conv")]
    assert names(first, second) == [("/a/Relu:0", "/a/Relu:0"), ("/a/Conv:0", "/a/Conv:0")]


def test_graphs_without_common_names_are_matched_by_operator_in_order_or_not_at_all() -> None:
    first = [node("a", "Conv"), node("b", "Relu"), node("c", "Conv")]
    second = [node("x", "Conv"), node("y", "Relu"), node("z", "Conv")]
    assert names(first, second) == [("a:0", "x:0"), ("b:0", "y:0"), ("c:0", "z:0")]
    assert names(first, second[:2]) == []


def test_a_normalisation_without_nodes_is_compared_behind_its_convolution() -> None:
    torch = [layer("/conv"), layer("/bn", "/conv"), layer("/relu", "/bn")]
    graph = [node("/conv/Conv", "Conv", "input"), node("/relu/Relu", "Relu", "/conv/Conv:0")]
    assert names(torch, graph) == [("/bn", "/conv/Conv:0"), ("/relu", "/relu/Relu:0")]
    pair = match_values(torch, graph)[0]
    assert (pair.module, pair.folded) == ("conv", "bn")
    assert names(graph, torch) == [("/conv/Conv:0", "/bn"), ("/relu/Relu:0", "/relu")]


def test_a_layer_of_several_nodes_is_the_last_of_them() -> None:
    torch = [layer("/rnn")]
    graph = [node("/rnn/LSTM", "LSTM", "input"), node("/rnn/Reshape", "Reshape", "/rnn/LSTM:0")]
    assert names(torch, graph) == [("/rnn", "/rnn/Reshape:0")]


def test_equal_calls_that_the_exporter_merged_do_not_shift_the_others() -> None:
    torch = [
        layer("/neck/a"),
        function("/neck/Resize", "Resize", "/neck/a", size=8),
        function("/neck/Resize_1", "Resize", "/neck/a", size=8),
        function("/neck/Resize_2", "Resize", "/neck/a", size=16),
    ]
    graph = [
        node("/neck/a/Conv", "Conv", "input"),
        node("/neck/Resize", "Resize", "/neck/a/Conv:0", size=8),
        node("/neck/Resize_1", "Resize", "/neck/a/Conv:0", size=16),
    ]
    assert names(torch, graph) == [
        ("/neck/a", "/neck/a/Conv:0"),
        ("/neck/Resize", "/neck/Resize:0"),
        ("/neck/Resize_2", "/neck/Resize_1:0"),
    ]


def test_a_function_that_reads_something_else_is_known_by_its_name() -> None:
    torch = [layer("/neck/a"), layer("/neck/b"), function("/neck/Add", "Add", "/neck/a", "/neck/b")]
    graph = [
        node("/neck/a/Conv", "Conv", "input"),
        node("/neck/b/Conv", "Conv", "input"),
        node("/neck/Add", "Add", "/neck/a/Conv:0", "/neck/a/Conv:0"),
    ]
    assert names(torch, graph)[-1] == ("/neck/Add", "/neck/Add:0")


def test_two_pytorch_networks_are_matched_by_name() -> None:
    assert names([layer("/a"), layer("/b")], [layer("/b")]) == [("/b", "/b")]
