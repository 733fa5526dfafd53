import {
  type ArgumentsHost,
  Catch,
  Controller,
  type ExceptionFilter,
  Get,
  HttpException,
  Module,
} from '@nestjs/common'
import { createGuard, type AccessTokenClaims } from '@countersign/guard'
import { Auth, CountersignModule, Public, Roles } from '@countersign/guard/nest'

@Controller('cats')
class CatsController {
  @Get()
  list(@Auth() auth: AccessTokenClaims) {
    return { owner: auth.sub }
  }

  @Get('photo')
  @Public()
  photo(@Auth() auth?: AccessTokenClaims) {
    return { sub: auth?.sub ?? null }
  }

  @Get('all')
  @Roles('admin')
  all() {
    return []
  }
}

/** The filter of NestJS's documentation. It answers every HttpException, whatever was sent before. */
@Catch(HttpException)
export class HttpExceptionFilter implements ExceptionFilter {
  catch(exception: HttpException, host: ArgumentsHost) {
    const status = exception.getStatus()
    host.switchToHttp().getResponse().status(status).json({ statusCode: status })
  }
}

const guard = createGuard({
  issuer: 'https://auth.example.com',
  feed: { clientId: 'svc_1', clientSecret: 'a secret' },
})

@Module({ imports: [CountersignModule.forRoot({ guard })], controllers: [CatsController] })
export class AppModule {}
