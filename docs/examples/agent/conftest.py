from pytest_ptc.interfaces.agent_kind import AgentKind, AgentPlan
from pytest_ptc.model.errors import ConfigError


def configure(request):
    if request.settings.model is not None:
        raise ConfigError("ptc_model: agent 'line-length' has no model; leave it out")
    return AgentPlan(options={"longest": 72})


def pytest_ptc_agents(config):
    return [AgentKind(name="line-length", make="line_length:make", configure=configure)]
