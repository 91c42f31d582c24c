// Which proxy a call goes through.

import { describe, expect, it } from "vitest";
import { type Origin, proxyFor } from "../../src/aws/connections/proxy.ts";

const SERVICE: Origin = { tls: true, host: "kinesis.eu-west-1.amazonaws.com", port: 443 };

describe("the variable", () => {
  it.each([
    ["HTTPS_PROXY", { HTTPS_PROXY: "http://a:1", HTTP_PROXY: "http://b:2" }, "a"],
    ["https_proxy before it", { https_proxy: "http://a:1", HTTPS_PROXY: "http://b:2" }, "a"],
    ["ALL_PROXY after it", { ALL_PROXY: "http://b:2", HTTPS_PROXY: "http://a:1" }, "a"],
    ["ALL_PROXY alone", { ALL_PROXY: "http://b:2" }, "b"],
    ["none but HTTP_PROXY", { HTTP_PROXY: "http://b:2" }, undefined],
    ["none", {}, undefined],
    ["an empty one", { HTTPS_PROXY: "" }, undefined],
  ])("for TLS is %s", (_, environment, host) => {
    expect(proxyFor(SERVICE, environment)?.origin.host).toBe(host);
  });

  it("for calls without TLS is HTTP_PROXY", () => {
    const environment = { HTTPS_PROXY: "http://a:1", HTTP_PROXY: "http://b:2" };
    expect(proxyFor({ ...SERVICE, tls: false }, environment)?.origin.host).toBe("b");
  });
});

describe("the proxy's URL", () => {
  it.each([
    ["http://proxy:3128", { tls: false, host: "proxy", port: 3128 }],
    ["proxy:3128", { tls: false, host: "proxy", port: 3128 }],
    ["https://proxy", { tls: true, host: "proxy", port: 443 }],
    ["http://[fd00::1]:3128", { tls: false, host: "fd00::1", port: 3128 }],
  ])("%s is understood", (url, origin) => {
    expect(proxyFor(SERVICE, { HTTPS_PROXY: url })?.origin).toEqual(origin);
  });

  it("has the user name and the password, which are not shown", () => {
    const proxy = proxyFor(SERVICE, { HTTPS_PROXY: "http://me:p%40ss@proxy:3128" });
    expect(proxy?.authorization).toBe(`Basic ${Buffer.from("me:p@ss").toString("base64")}`);
    expect(proxy?.shown).toBe("http://proxy:3128 (HTTPS_PROXY)");
  });

  it.each(["socks5://user:hunter2@proxy:1080", "http://", "http://a b"])("%s is refused", (url) => {
    const proxy = () => proxyFor(SERVICE, { HTTPS_PROXY: url });
    expect(proxy).toThrow(/HTTPS_PROXY is not the URL of a proxy.*http:\/\/HOST:PORT/);
    expect(proxy).not.toThrow(/hunter2/);
  });
});

describe("NO_PROXY", () => {
  const goesDirectly = (noProxy: string, host: string, port = 443) =>
    !proxyFor({ tls: true, host, port }, { HTTPS_PROXY: "http://proxy:1", NO_PROXY: noProxy });

  it.each([
    ["*", "a.example.com"],
    ["example.com", "example.com"],
    ["example.com", "a.b.Example.com"],
    [".example.com", "a.example.com"],
    ["*.example.com", "a.example.com"],
    ["other.org, example.com", "a.example.com"],
    ["other.org example.com", "a.example.com"],
    ["example.com:443", "a.example.com"],
    ["10.0.0.0/8", "10.1.2.3"],
    ["10.1.2.3", "10.1.2.3"],
    ["10.1.2.3:443", "10.1.2.3"],
    ["fd00::/8", "fd00::1"],
    ["fd00::1", "fd00::1"],
    ["[fd00::1]:443", "fd00::1"],
  ])("%s covers %s", (noProxy, host) => {
    expect(goesDirectly(noProxy, host)).toBe(true);
  });

  it.each([
    ["example.com", "notexample.com"],
    ["example.com", "example.com.org"],
    ["a.example.com", "example.com"],
    ["example.com:8443", "a.example.com"],
    ["10.0.0.0/8", "11.1.2.3"],
    ["10.0.0.0/8", "10.example.com"],
    ["10.0.0.0/99", "10.1.2.3"],
    ["fd00::1", "fd00::2"],
    [" , ", "example.com"],
  ])("%s does not cover %s", (noProxy, host) => {
    expect(goesDirectly(noProxy, host)).toBe(false);
  });

  it.each(["localhost", "kinesis.localhost", "127.0.0.1", "127.1.2.3", "::1"])(
    "is not needed for %s",
    (host) => {
      expect(goesDirectly("", host)).toBe(true);
    },
  );
});
