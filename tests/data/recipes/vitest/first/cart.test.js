import { describe, expect, test } from "vitest";
import { slug, total } from "./cart.js";

describe("total", () => {
  test("adds", () => expect(total([1, 2])).toBe(3));
  test("of one", () => expect(total([5])).toBe(5));
});

test("slug", () => expect(slug("Green Tea")).toBe("green-tea"));
