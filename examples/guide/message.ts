import { ApiError, BaseHandler, defineMessage, type HandlerContext } from '@llmgine/api';
import { z } from 'zod';

export class OrderRequest extends defineMessage(
  'order_request',
  z.object({ article: z.string(), pieces: z.int().min(1) }),
  { description: 'Orders pieces of an article' },
) {}

export class OrderResponse extends defineMessage('order_response', z.object({ order_id: z.string() })) {}

export class OrderHandler extends BaseHandler<OrderRequest> {
  readonly messageType = 'order_request';
  readonly requestModel = OrderRequest;
  override readonly responseModel = OrderResponse;

  async handle(message: OrderRequest, { session, settings }: HandlerContext) {
    const { article, pieces } = message.data;
    if (pieces > Number(settings.max_pieces ?? 10)) {
      throw new ApiError('RESOURCE_LIMIT_EXCEEDED', 'That is more than the shop sells at once');
    }
    const { cursor } = await session.publish('custom:ordered', { article, pieces });
    return new OrderResponse({ order_id: cursor });
  }
}
