"""The protocol's corners, spoken by hand over a real channel; Envoy itself is met in tests/gateway."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc.aio
import pytest

from assay_api import Ref
from assay_operator.gateway import Backend, Endpoint, ModelRoute
from assay_operator.xds import AdsServer, NoGateways
from assay_operator.xds.messages import CDS, EDS, LDS, RDS, SRDS, Cluster, Request, Response, Scope
from assay_operator.xds.server import SERVICE

REF = Ref("demo", "churn")
NAME = "demo/churn/champion@churn-1"


def route(version: str = "churn-1", port: int = 3000) -> ModelRoute:
    return ModelRoute(*REF, Backend(version, (Endpoint("10.0.0.1", port),)))


class Peer:
    """An Envoy that does what the test says."""

    def __init__(self, channel: grpc.aio.Channel, node: str = "edge-1") -> None:
        method = channel.stream_stream(
            f"/{SERVICE}/StreamAggregatedResources",
            request_serializer=Request.SerializeToString,
            response_deserializer=Response.FromString,
        )
        self.call, self.node = method(), node
        self.nonces: dict[str, str] = {}

    async def ask(self, kind: str, *names: str, version: str = "") -> None:
        request = Request(type_url=kind, resource_names=names, version_info=version)
        request.node.id = self.node
        await self.call.write(request)

    async def next(self, kind: str) -> Any:
        response = await asyncio.wait_for(self.call.read(), 5)
        assert response.type_url == kind
        return response

    async def answer(self, response: Any, *names: str, error: str = "", nonce: str = "") -> None:
        self.nonces[response.type_url] = response.nonce
        request = Request(
            type_url=response.type_url,
            version_info=response.version_info,
            response_nonce=nonce or response.nonce,
            resource_names=names,
        )
        if error:
            request.error_detail.message = error
        await self.call.write(request)

    async def take(self, kind: str, *names: str) -> Any:
        response = await self.next(kind)
        await self.answer(response, *names)
        return response

    async def silent(self) -> bool:
        """Whether nothing arrives for a while; a read that is under way cannot be taken back."""
        self._read = asyncio.ensure_future(self.call.read())
        done, _ = await asyncio.wait({self._read}, timeout=0.15)
        return not done

    async def start(self, *clusters: str) -> None:
        """Take the first configuration, as an Envoy does that knows nothing."""
        await self.ask(CDS)
        await self.take(CDS)
        if clusters:
            await self.ask(EDS, *clusters)
            await self.take(EDS, *clusters)
        await self.ask(LDS)
        await self.take(LDS)
        await self.ask(SRDS)
        await self.take(SRDS)
        if clusters:
            hosts = sorted({name.rpartition("/")[0] for name in clusters})
            await self.ask(RDS, *hosts)
            await self.take(RDS, *hosts)

    async def come_back(self, *clusters: str, version: str = "3-old") -> None:
        """Subscribe as an Envoy does that another control plane has programmed."""
        for kind, names in ((CDS, ()), (EDS, clusters), (LDS, ()), (SRDS, ()), (RDS, ("demo/churn",))):
            await self.ask(kind, *names, version=version)


class Follower(Peer):
    """An Envoy that asks for whatever it hears of and accepts all of it, until it is told to leave."""

    async def follow(self) -> None:
        children = {CDS: (EDS, Cluster), SRDS: (RDS, Scope)}
        known: dict[str, tuple[str, ...]] = {}
        for kind in (CDS, LDS, SRDS):
            await self.ask(kind)
        while (response := await self.call.read()) is not grpc.aio.EOF:
            await self.answer(response, *known.get(response.type_url, ()))
            if response.type_url in children:
                kind, message = children[response.type_url]
                found = [message.FromString(resource.value) for resource in response.resources]
                names = tuple(sorted(one.name for one in found if kind == RDS or one.type == Cluster.EDS))
                await self._subscribe(kind, known.get(kind), names)
                known[kind] = names

    async def _subscribe(self, kind: str, old: tuple[str, ...] | None, new: tuple[str, ...]) -> None:
        if new and new != old:
            request = Request(type_url=kind, resource_names=new, response_nonce=self.nonces.get(kind, ""))
            await self.call.write(request)


@pytest.fixture
async def server() -> AsyncIterator[AdsServer]:
    running = AdsServer(linger=0)
    yield running
    await running.stop()


@pytest.fixture
async def channel(server: AdsServer) -> AsyncIterator[grpc.aio.Channel]:
    port = await server.start(0, "127.0.0.1")
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel


async def test_a_gateway_gets_clusters_endpoints_listener_and_routes_in_this_order(
    server: AdsServer, channel: grpc.aio.Channel
) -> None:
    await server.publish(REF, route())
    peer = Peer(channel)
    await peer.start(NAME)
    assert (await server.wait_programmed(REF, 5)).done


async def test_an_acknowledgement_is_never_answered(server: AdsServer, channel: grpc.aio.Channel) -> None:
    await server.publish(REF, route())
    peer = Peer(channel)
    await peer.start(NAME)
    assert await peer.silent()


async def test_routes_wait_until_clusters_are_acknowledged(
    server: AdsServer, channel: grpc.aio.Channel
) -> None:
    peer = Peer(channel)
    await peer.start()
    await server.publish(REF, route())
    clusters = await peer.next(CDS)
    await peer.ask(EDS, NAME)
    await peer.take(EDS, NAME)
    assert await peer.silent(), "its clusters are not ready, so it has not acknowledged them"
    assert not server.programmed(REF).done
    await peer.answer(clusters)
    scopes = await asyncio.wait_for(peer._read, 5)
    assert scopes.type_url == SRDS
    await peer.answer(scopes)
    await peer.ask(RDS, "demo/churn")
    await peer.take(RDS, "demo/churn")
    assert (await server.wait_programmed(REF, 5)).done


async def test_a_starting_gateway_holds_nobody_up(server: AdsServer, channel: grpc.aio.Channel) -> None:
    await server.publish(REF, route())
    await Peer(channel).start(NAME)
    assert (await server.wait_programmed(REF, 5)).done
    late = Peer(channel, "edge-2")
    await late.ask(CDS)
    await late.next(CDS)
    assert server.programmed(REF)[:4] == (True, 2, "1 of 1 gateways acknowledged", None)


async def test_a_returning_gateway_counts_at_once_as_it_serves(
    server: AdsServer, channel: grpc.aio.Channel
) -> None:
    await server.publish(REF, route())
    peer = Peer(channel)
    await peer.come_back(NAME)
    await peer.next(CDS)
    assert server.programmed(REF).message == "0 of 1 gateways acknowledged; waiting for edge-1"


async def test_a_returning_gateway_keeps_clusters_that_its_routes_may_use(
    server: AdsServer, channel: grpc.aio.Channel
) -> None:
    await server.publish(REF, route("churn-2"))
    peer = Peer(channel)
    new, old = "demo/churn/champion@churn-2", (NAME, "demo/churn/boosted@churn-2")
    await peer.come_back(*old)
    first = await peer.take(CDS)
    await peer.ask(EDS, new, *old)
    endpoints = await peer.take(EDS, new, *old)
    assert len(endpoints.resources) == 1, "whose endpoints nobody knows are left as they are"
    await peer.take(LDS)
    await peer.take(SRDS)
    await peer.take(RDS, "demo/churn")
    second = await peer.take(CDS)
    assert (len(first.resources), len(second.resources)) == (4, 1)
    assert (await server.wait_programmed(REF, 5)).done


async def test_an_answer_to_an_older_response_is_ignored(
    server: AdsServer, channel: grpc.aio.Channel
) -> None:
    await server.publish(REF, route())
    peer = Peer(channel)
    await peer.start(NAME)
    await server.publish(REF, route(port=3001))
    response = await peer.next(EDS)
    await peer.answer(response, NAME, error="about the past", nonce="1")
    assert await peer.silent()
    assert not server.programmed(REF).done
    assert server.programmed(REF).nack is None
    await peer.answer(response, NAME)
    assert (await server.wait_programmed(REF, 5)).done


async def test_changes_that_come_while_one_is_under_way_are_sent_as_one(
    server: AdsServer, channel: grpc.aio.Channel
) -> None:
    await server.publish(REF, route())
    peer = Peer(channel)
    await peer.start(NAME)
    await server.publish(REF, route(port=3001))
    first = await peer.next(EDS)
    for port in range(3002, 3050):
        await server.publish(REF, route(port=port))
    await peer.answer(first, NAME)
    await peer.take(EDS, NAME)
    assert (await server.wait_programmed(REF, 5)).done
    assert await peer.silent()


async def test_only_the_endpoints_that_changed_are_sent(server: AdsServer, channel: grpc.aio.Channel) -> None:
    others = [Ref("demo", f"m{i}") for i in range(20)]
    for ref in others:
        await server.publish(ref, ModelRoute(*ref, route().champion))
    await server.publish(REF, route())
    names = [NAME, *(f"demo/m{i}/champion@churn-1" for i in range(20))]
    peer = Peer(channel)
    await peer.start(*names)
    await server.publish(REF, route(port=3001))
    assert len((await peer.take(EDS, *names)).resources) == 1


async def test_a_refusal_reverts_and_says_why(server: AdsServer, channel: grpc.aio.Channel) -> None:
    await server.publish(REF, route())
    peer = Peer(channel)
    await peer.start(NAME)
    assert (await server.wait_programmed(REF, 5)).done
    await server.publish(REF, route(port=3001))
    bad = await peer.next(EDS)
    await peer.answer(bad, NAME, error="x" * 5000 + " malformed address")
    good = await peer.take(EDS, NAME)
    assert good.version_info != bad.version_info
    refused = await server.wait_programmed(REF, 5)
    assert refused.nack
    assert refused.nack.endswith("malformed address")
    assert len(refused.nack) <= 400


async def test_what_was_refused_does_not_stand_in_the_way_of_others(
    server: AdsServer, channel: grpc.aio.Channel
) -> None:
    other, peer = Ref("demo", "other"), Peer(channel)
    await peer.start()
    await server.publish(REF, route())
    await peer.answer(await peer.next(CDS), error=f"no such thing: {NAME}")
    assert (await server.wait_programmed(REF, 5)).nack
    await peer.take(CDS)
    await server.publish(other, ModelRoute(*other, route().champion))
    clusters = await peer.next(CDS)
    assert len(clusters.resources) == 1
    await peer.answer(clusters)
    await peer.ask(EDS, "demo/other/champion@churn-1")
    await peer.take(EDS, "demo/other/champion@churn-1")
    await peer.take(SRDS)
    await peer.ask(RDS, "demo/other")
    await peer.take(RDS, "demo/other")
    assert (await server.wait_programmed(other, 5)).done


async def test_a_listener_that_is_refused_blames_no_model(
    server: AdsServer, channel: grpc.aio.Channel
) -> None:
    await server.publish(REF, route())
    healthy, odd = Peer(channel), Peer(channel, "edge-2")
    await healthy.start(NAME)
    assert (await server.wait_programmed(REF, 5)).done
    await odd.come_back(NAME, version="0-old")
    await odd.take(CDS)
    await odd.take(EDS, NAME)
    await odd.answer(await odd.next(LDS), error="cannot bind")
    assert await odd.silent(), "it is not sent again and again"
    answer = server.programmed(REF)
    assert (answer.done, answer.nack) == (False, None)
    assert (
        answer.message == "1 of 2 gateways acknowledged; waiting for edge-2; refused: Listener: cannot bind"
    )


async def test_a_listener_that_is_refused_is_tried_again(
    server: AdsServer, channel: grpc.aio.Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay_operator.xds.server.RETRY_SECONDS", 0.01)
    await server.publish(REF, route())
    peer = Peer(channel)
    await peer.ask(CDS)
    await peer.take(CDS)
    await peer.ask(EDS, NAME)
    await peer.take(EDS, NAME)
    await peer.ask(LDS)
    await peer.answer(await peer.next(LDS), error="cannot bind")
    await peer.take(LDS)
    assert server.programmed(REF).nack is None


async def test_a_gateway_that_never_answers_is_told_to_connect_again(
    server: AdsServer, channel: grpc.aio.Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay_operator.xds.server.STUCK_SECONDS", 0.05)
    await server.publish(REF, route())
    peer = Peer(channel)
    await peer.ask(CDS)
    await peer.next(CDS)
    assert await asyncio.wait_for(peer.call.read(), 5) is grpc.aio.EOF
    assert await peer.call.code() == grpc.StatusCode.OK


async def test_a_refusal_stays_one_though_new_names_follow_it(
    server: AdsServer, channel: grpc.aio.Channel
) -> None:
    await server.publish(REF, route())
    peer = Peer(channel)
    await peer.start(NAME)
    assert (await server.wait_programmed(REF, 5)).done
    await server.publish(REF, route(port=3001))
    bad = await peer.next(EDS)
    await peer.answer(bad, NAME, error="no")  # one after the other: a stream takes one write at a time
    await peer.answer(bad, NAME, "one/more")
    assert (await server.wait_programmed(REF, 5)).nack == "no"


async def test_streams_that_come_and_go_leave_nothing_behind(
    server: AdsServer, channel: grpc.aio.Channel
) -> None:
    await server.publish(REF, route())
    before = len(asyncio.all_tasks())
    for turn in range(30):
        peer = Peer(channel, f"edge-{turn}")
        await peer.ask(CDS)
        await peer.next(CDS)
        peer.call.cancel()
    while server.programmed(REF).gateways:
        await asyncio.sleep(0.01)
    assert server.programmed(REF).message == "no gateway is connected"
    while len(asyncio.all_tasks()) > before:
        await asyncio.sleep(0.01)


async def test_ten_gateways_that_come_and_go_all_get_what_was_published_last(
    server: AdsServer, channel: grpc.aio.Channel
) -> None:
    refs = [Ref("demo", f"m{i}") for i in range(40)]
    for ref in refs:
        await server.publish(ref, ModelRoute(*ref, route().champion))
    tasks = [asyncio.create_task(Follower(channel, f"edge-{i}").follow()) for i in range(10)]
    for turn in range(20):
        tasks.pop(0).cancel()
        tasks.append(asyncio.create_task(Follower(channel, f"edge-{10 + turn}").follow()))
        ref = refs[turn]
        await server.publish(ref, ModelRoute(*ref, route(f"churn-{turn % 3}", 3000 + turn).champion))
        await asyncio.sleep(0.01)
    await server.publish(refs[-1], None)
    for ref in refs:
        assert (await server.wait_programmed(ref, 20)).done
    while server.programmed(refs[0]).message != "10 of 10 gateways acknowledged":
        await asyncio.sleep(0.01)
    for task in tasks:
        task.cancel()
    assert {type(end) for end in await asyncio.gather(*tasks, return_exceptions=True)} == {
        asyncio.CancelledError
    }


@pytest.mark.parametrize("first", ["the one that accepts", "the one that refuses"])
async def test_gateways_that_disagree_all_go_back_to_what_both_had(
    server: AdsServer, channel: grpc.aio.Channel, first: str
) -> None:
    """Who accepted it gets the old one again: units must not see two tables for longer than that."""
    await server.publish(REF, route())
    willing, unwilling = Peer(channel), Peer(channel, "edge-2")
    for peer in (willing, unwilling):
        await peer.start(NAME)
    while server.programmed(REF).message != "2 of 2 gateways acknowledged":
        await asyncio.sleep(0.01)
    await server.publish(REF, route(port=3001))
    tables = {peer: await peer.next(EDS) for peer in (willing, unwilling)}
    answers = {willing: "", unwilling: "edge-2 cannot"}
    order = (willing, unwilling) if first == "the one that accepts" else (unwilling, willing)
    for peer in order:
        await peer.answer(tables[peer], NAME, error=answers[peer])
    old = {(await peer.take(EDS, NAME)).version_info for peer in order}
    assert len(old) == 1
    assert old != {tables[willing].version_info}
    refused = await server.wait_programmed(REF, 5)
    assert (refused.done, refused.nack) == (False, "edge-2 cannot")
    await server.publish(REF, route(port=3002))
    for peer in order:
        await peer.take(EDS, NAME)
    assert (await server.wait_programmed(REF, 5)).done, "the next change is another question"


async def test_a_gateway_that_starts_and_refuses_what_all_others_serve_changes_nothing_for_them(
    server: AdsServer, channel: grpc.aio.Channel
) -> None:
    await server.publish(REF, route())
    settled, odd = Peer(channel), Peer(channel, "edge-2")
    await settled.start(NAME)
    assert (await server.wait_programmed(REF, 5)).done
    await odd.ask(CDS)
    await odd.answer(await odd.next(CDS), error=f"an Envoy too old for {NAME}")
    assert await settled.silent()
    assert server.programmed(REF)[:4] == (True, 2, "1 of 1 gateways acknowledged", None)


async def test_a_storm_of_returning_gateways_is_answered_once_each(
    server: AdsServer, channel: grpc.aio.Channel
) -> None:
    """The operator restarts; fifty gateways are there within a moment, and each is told everything once."""
    refs = [Ref("demo", f"m{i}") for i in range(40)]
    for ref in refs:
        await server.publish(ref, ModelRoute(*ref, route().champion))
    followers = [Follower(channel, f"edge-{n}") for n in range(50)]
    tasks = [asyncio.create_task(each.follow()) for each in followers]
    for ref in refs:
        assert (await server.wait_programmed(ref, 30)).done
    while len([1 for each in followers if RDS in each.nonces]) < len(followers):
        await asyncio.sleep(0.01)
    await server.publish(refs[0], ModelRoute(*refs[0], route(port=3001).champion))
    done = await server.wait_programmed(refs[0], 30)
    assert (done.done, done.gateways) == (True, 50)
    assert {int(each.nonces[RDS]) for each in followers} == {5}, "five kinds, one response of each"
    for each in followers:
        each.call.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_house_without_a_gateway_is_always_done() -> None:
    nowhere = NoGateways()
    version = await nowhere.publish(REF, route())
    assert await nowhere.publish(REF, route()) == version
    assert nowhere.routes == {REF: route()}
    assert nowhere.programmed(REF).done
    assert await nowhere.publish(REF, None) == ""
    assert nowhere.routes == {}
