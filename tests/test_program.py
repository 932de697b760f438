"""Programs of arrays: what the machines of three designs do, written down by hand as well."""
from golden_model.network import Learning, Network
from hdl.design import Design
from hdl.program import Count, Do, Each, If, Play, Tell, Wait, nodes_of, programs


def outline(nodes):
    """A program in few words: states, what they last or wait for, > what is told, loops and branches in brackets."""
    def word(node):
        match node:
            case Do():
                return f"{node.state} {node.clocks.name if isinstance(node.clocks, Count) else node.clocks}"
            case Wait():
                return f"{node.state} until {node.event}"
            case Play():
                return f"{node.state} {node.operation}s" + (f" in {node.every}" if node.every > 1 else "")
            case Tell():
                return f"> {node.event}"
            case If():
                return f"{node.flag}? [{outline(node.then)}] [{outline(node.otherwise)}]"
            case Each():
                return f"each {node.over}{' backwards' if node.backwards else ''} [{outline(node.body)}]"
    return ", ".join(map(word, nodes))


BACK = "> token, ERRORS errors, ERRORS_DRAIN 6, > latch back, SETTLE_BACK SETTLING, SETTLED_BACK 1"


def test_a_layer_with_a_unit_for_each_neuron():
    text = programs(Design(network=Network(layers=(9, 5, 3))).arrays[1])
    assert {name: outline(nodes) for name, nodes in text.items()} == {
        "links": "IDLE until image, each fold [> start, RUN links, last fold? [learn? [] [> release]] [], DRAIN 5, FULL until "
                 "latch], learn? [LEARN until learnt, > release] []",
        "main": "each fold [IDLE until full, > latch, SETTLE SETTLING, SETTLED until receiver, > scan], learn? [GATES 17, "
                f"VERDICT until verdict, error? [each fold [{BACK}, TREE INPUTS, UPDATE_START 1, > start, UPDATE updates, "
                "UPDATED 3]] [], > learnt] []",
        "scan": "each fold [IDLE until scan, SCAN UNITS, LEAVE LEAVING]"}


def test_a_folded_first_layer():
    text = programs(Design(network=Network(layers=(9, 5, 3)), units=(2, 3)).arrays[0])
    assert outline(text["main"]) == (
        "each fold [IDLE until full, > latch, SETTLE SETTLING, SETTLED until receiver, > scan, learn? [SAVE 5] []], learn? "
        f"[VERDICT until verdict, error? [each fold [RESTORE 11, RESTORE_GATES 5, {BACK}, UPDATE_START 1, > start, UPDATE "
        "updates, UPDATED 3]] [], > learnt] []")


def test_a_time_shared_array():
    text = programs(Design(network=Network(layers=(9, 5, 3)), arrangement="time-shared").arrays[0])
    assert {name: outline(nodes) for name, nodes in text.items()} == {
        "links": "IDLE until go, each fold [> start, RUN links, DRAIN 4, FULL until latch]",
        "main": "IDLE until image, each layer [START 1, > go, each fold [LINKS until full, > latch, "
                "SETTLE SETTLING, SETTLED until receiver, SCAN UNITS, learn? [SAVE 5] []]], learn? [VERDICT until verdict, "
                f"error? [each layer backwards [> ask, each fold [{BACK.replace('DRAIN 6', 'DRAIN 5')}, reverses? ["
                "TREE_START 1, TREE INPUTS] [], UPDATE_START 1, > start, UPDATE updates in 2, UPDATED 8]]] []] [], > release"}


def test_a_time_shared_array_sends_errors_to_the_array_before_when_all_its_layers_have_learnt():
    first, middle, last = Design(network=Network(layers=(9, 5, 4, 3, 2)), arrangement="time-shared 1-2").arrays
    text = outline(programs(middle)["main"])
    assert text.endswith("UPDATED 8]], > ask back, BACK BACK] []] [], > release")
    assert [outline(programs(array)["main"]) for array in (first, last)] == [
        outline(programs(array)["main"]) for array in Design(network=Network(layers=(9, 5, 3))).arrays]
    frozen = Design(network=Network(layers=(9, 5, 4, 3), learning=Learning(frozen=1)), arrangement="time-shared 1-2").arrays[1]
    assert "BACK BACK" not in outline(programs(frozen)["main"])


def test_what_a_core_does_not_need_is_not_in_its_program():
    infers = Design(network=Network(layers=(9, 5, 3)), learns=False)
    states = {node.state for name, text in programs(infers.arrays[0]).items() for node in nodes_of(text)
              if name == "main" and isinstance(node, Do | Wait | Play)}
    assert states == {"IDLE", "SETTLE", "SETTLED"}
    frozen = Design(network=Network(layers=(9, 5, 3), learning=Learning(frozen=1)), arrangement="time-shared")
    assert not frozen.arrays[0].reverses
    assert not any(getattr(node, "state", "").startswith("TREE") for node in nodes_of(programs(frozen.arrays[0])["main"]))
