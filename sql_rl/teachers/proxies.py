"""The way to a server through the proxy that the environment names, as curl and the providers' SDKs take it."""

from ipaddress import ip_address
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from sql_rl.errors import UsageError


def proxy_of(url: str) -> str | None:
    """The proxy for a server at `url`, by HTTPS_PROXY, HTTP_PROXY and NO_PROXY; None without one.

    A server on this machine is reached directly, whatever they say. Raises UsageError for a proxy of another kind.
    """
    parts = urlsplit(url)
    host, proxy = parts.hostname or "", getproxies().get(parts.scheme)
    if not proxy or _is_here(host) or proxy_bypass(host):
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    if urlsplit(proxy).scheme not in ("http", "https"):
        raise UsageError(
            f"{parts.scheme.upper()}_PROXY: {urlsplit(proxy).scheme}:// proxies are not spoken here: name an http:// "
            f"one, or put {host} into NO_PROXY"
        )
    return proxy


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
