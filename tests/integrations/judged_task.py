"""A task of Inspect with a panel of three judges, as a user writes one; run by the tests with the mock model."""

from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import Score, Scorer, Target, accuracy, multi_scorer, scorer
from inspect_ai.solver import TaskState

from polyculture.integrations.inspect_metrics import effective_votes, error_correlation


def judge(number: int) -> Scorer:
    @scorer(metrics=[accuracy()], name=f"judge{number}")
    def make() -> Scorer:
        async def score(state: TaskState, target: Target) -> Score:
            item = int(state.sample_id)
            shared, own = item % 5 == 0, (item * (number + 3)) % 7 == 1
            return Score(value="I" if shared or own else "C")

        return score

    return make()


def answer(*_: object, **__: object) -> ModelOutput:
    output = ModelOutput.from_content("mock", "yes")
    output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)  # else it is counted by a download
    return output


@task
def judged() -> Task:
    samples = [Sample(id=i, input="?", target="yes", metadata={"human": "C" if i % 9 else "I"}) for i in range(60)]
    return Task(
        dataset=samples,
        scorer=multi_scorer([judge(k) for k in range(3)], "collect"),
        metrics=[effective_votes(), error_correlation(), effective_votes(truth="human")],
        model=get_model("mockllm/model", custom_outputs=answer),
    )
