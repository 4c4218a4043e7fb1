"""What looks on while several processes train."""

import os
import socket
import subprocess
import sys

# One of two processes, as `accelerate launch` starts them, at the end of a step: did it decide to save and stop?
STEP = """
import sys
from accelerate import PartialState
from transformers import TrainerControl, TrainerState
from sql_rl.train.stop import Stop
from sql_rl.train.watch import Stopper

state, stop = PartialState(cpu=True), Stop()
stopper, decided = Stopper(stop, stride=2), []
for step in (1, 2, 3, 4):
    if step == 3 and state.process_index == 1:
        stop.signal = "SIGTERM"
    control = stopper.on_step_end(None, TrainerState(global_step=step), TrainerControl())
    decided.append(control.should_save and control.should_training_stop)
print(decided, stop.signal)
state.destroy_process_group()
"""


def test_a_signal_that_one_process_has_got_stops_all_at_the_same_step():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    told = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "ACCELERATE_USE_CPU": "true"}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", STEP],
            env=os.environ | told | {"RANK": str(rank), "LOCAL_RANK": str(rank), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    said = [process.communicate(timeout=300)[0].strip() for process in started]
    assert said == ["[False, False, False, True] SIGTERM"] * 2
